# Tests of workloads/trace.
osmem_add_test(trace_format_test SOURCES trace_format_test.cpp LIBRARIES trace_format LABELS trace)
osmem_add_test(trace_hostile_test SOURCES trace_hostile_test.cpp LIBRARIES trace_format LABELS trace TIMEOUT 300)
