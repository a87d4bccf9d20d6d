"""Read and write HTTP: headers, content codings, charsets, ETags and origins."""
