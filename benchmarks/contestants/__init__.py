"""Who is measured: each does the job as a good engineer would write it for that library."""
