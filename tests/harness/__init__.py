"""What tests of several folders share: an ASGI driver, real servers, a browser."""
