"""The dashboard: its figures, which of them may be shown, and how they are rendered."""
