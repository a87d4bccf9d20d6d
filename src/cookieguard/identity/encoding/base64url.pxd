cpdef str to_base64url(bytes raw)
cpdef bytes from_base64url(str text)
