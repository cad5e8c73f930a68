# Tests of workloads/trace.
osmem_add_test(trace_format_test SOURCES trace_format_test.cpp LIBRARIES trace_format LABELS trace)
osmem_add_test(trace_hostile_test SOURCES trace_hostile_test.cpp LIBRARIES trace_format LABELS trace TIMEOUT 300)
osmem_add_test(trace_replay_test SOURCES trace_replay_test.cpp LIBRARIES workloads_trace workloads_core LABELS trace)
