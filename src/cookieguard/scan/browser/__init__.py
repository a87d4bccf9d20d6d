"""The scan with a browser: the browser, the visits, and what each page requests and stores."""
