"""The consent log's web side: recording of choices and agreements, its public files, and the visitor's receipt."""
