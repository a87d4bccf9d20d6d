cdef class Rules:
    cdef readonly object url
    cdef readonly bint own_is_free
    cdef readonly object is_foreign
    cdef readonly object is_lifted
    cdef readonly bint marks_links
    cdef object _judge
    cdef dict _urls
    cdef readonly dict tags
    cdef readonly dict xml_tags
    cdef dict _near
    cdef dict _texts
    cdef Py_ssize_t _texts_size
    cdef set _seen
    cdef Py_ssize_t _tags_size
    cdef object __weakref__

    cpdef judge_text(self, object kind, bytes text, object base, bint is_markup)
    cdef bint _is_seen_again(self, bytes text)
    cdef dict _known_texts(self, tuple key)
