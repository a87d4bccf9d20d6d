"""What cookieguard ships as data: banner script and style sheet, templates, languages, vendors."""
