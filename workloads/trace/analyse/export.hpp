// The events of a trace as CSV, for other tools.
#pragma once

#include <string>

#include "workloads/trace/format/reader.hpp"

namespace trace {

// Columns: event,time_us,thread,kind,object,size,count,alignment,slot. `object` counts allocations
// from 1, a realloc keeps it. `out` is a path, or "-" for stdout. Throws TraceError.
void export_csv(Reader& reader, const std::string& out);

}  // namespace trace
