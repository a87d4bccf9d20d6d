cpdef pattern_of(bytes end, tuple ends)
