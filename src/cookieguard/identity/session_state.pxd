cdef class State:
    cdef public object begun
    cdef public object ends
    cdef public object id
    cdef public object customer
    cdef public object authenticated
    cdef public object orders
    cdef public object new_orders
    cdef public object merges
    cdef public object link
    cdef public object warned
    cdef public object followed
    cdef public object followed_until

    cpdef dict payload(self, dict entries, place=*)


cpdef tuple read_state(dict payload)
