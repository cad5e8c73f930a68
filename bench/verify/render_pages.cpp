// The matrix for readers: Markdown and a page.
#include "bench/verify/render.hpp"

namespace bench::verify {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

std::string for_markdown(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '|' ? "\\|" : c == '\n' ? " " : std::string(1, c);
  }
  return out;
}

std::string markdown_row(const std::string& first, const std::vector<std::string>& cells) {
  std::string out = "| " + first + " |";
  for (const auto& cell : cells) {
    out += " " + cell + " |";
  }
  return out + "\n";
}

std::vector<std::string> tallies(const Matrix& matrix, const std::string& section) {
  std::vector<std::string> out;
  for (std::size_t s = 0; s < matrix.subjects.size(); ++s) {
    out.push_back(tally_text(tally(matrix, s, section)));
  }
  return out;
}

std::vector<std::string> names(const Matrix& matrix) {
  std::vector<std::string> out;
  for (const auto& subject : matrix.subjects) {
    out.push_back(subject.candidate.name);
  }
  return out;
}

// Green, yellow, red, grey: by what the cell means, beside its word, so that colour is not all there is.
const char* cell_class(const Scenario& scenario, const Cell& cell) {
  if (cell.tries == 0 && !is_judged(cell.worst.verdict)) {
    return "none";
  }
  if (is_passed(scenario, cell)) {
    return "good";
  }
  return cell.worst.verdict == Verdict::kLate ? "half" : "bad";
}

constexpr const char* kHead =
    "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>What allocators promise and detect</title>\n"
    "<style>body{font:15px/1.4 sans-serif;margin:2em auto;max-width:75em;padding:0 1em}table{border-collapse:collapse;margin:1em 0}\n"
    "th,td{border:1px solid #ccc;padding:.15em .5em;text-align:left}th{background:#f3f3f3;position:sticky;top:0}\n"
    "td.good{background:#d9f0d9}td.half{background:#fdf3cd}td.bad{background:#f8d7d4}td.none{color:#777}\n"
    "code{font-size:.9em}</style>\n<h1>What allocators promise and detect</h1>\n"
    "<p>Each cell is a small program that was run. Point at a cell to see how it ended. &quot;call&quot;: the misuse was caught at the\n"
    "call; &quot;late&quot;: at the block&#39;s free, when the heap was used again, or at exit; &quot;crash&quot;: the process ended without a\n"
    "word, which is no detection.</p>\n";

std::string html_head_row(const Matrix& matrix, const std::string& first) {
  std::string out = "<tr><th>" + escaped(first) + "</th>";
  for (const auto& name : names(matrix)) {
    out += "<th>" + escaped(name) + "</th>";
  }
  return out + "</tr>\n";
}

std::string html_summary(const Matrix& matrix) {
  std::string out = "<table>" + html_head_row(matrix, "passed of judged");
  for (const auto& section : sections_of(matrix)) {
    out += "<tr><td>" + section + "</td>";
    for (const auto& sum : tallies(matrix, section)) {
      out += "<td>" + sum + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

std::string html_section(const Matrix& matrix, const std::string& section) {
  std::string out = "<h2>" + section + "</h2>\n<table>" + html_head_row(matrix, "scenario");
  for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
    const Scenario& scenario = matrix.scenarios[i];
    if (scenario.section() != section) {
      continue;
    }
    out += "<tr><td title=\"" + escaped(scenario.right) + "\"><code>" + escaped(scenario.id) + "</code></td>";
    for (const auto& cell : matrix.cells[i]) {
      out += std::string("<td class=\"") + cell_class(scenario, cell) + "\" title=\"" + escaped(cell_detail(cell)) + "\">" +
             escaped(cell_text(cell)) + "</td>";
    }
    out += "</tr>\n";
  }
  return out + "</table>\n";
}

}  // namespace

std::string render_matrix_markdown(const Matrix& matrix) {
  std::string out = markdown_row("passed of judged", names(matrix)) +
                    markdown_row("---", std::vector<std::string>(matrix.subjects.size(), "---"));
  for (const auto& section : sections_of(matrix)) {
    out += markdown_row(section, tallies(matrix, section));
  }
  const std::string note = option_note(matrix);
  out += note.empty() ? "" : "\n\\" + note;
  for (const auto& section : sections_of(matrix)) {
    out += "\n## " + section + "\n\n" + markdown_row("scenario", names(matrix)) +
           markdown_row("---", std::vector<std::string>(matrix.subjects.size(), "---"));
    for (std::size_t i = 0; i < matrix.cells.size(); ++i) {
      if (matrix.scenarios[i].section() != section) {
        continue;
      }
      std::vector<std::string> cells;
      for (const auto& cell : matrix.cells[i]) {
        cells.push_back(for_markdown(cell_text(cell)));
      }
      out += markdown_row("`" + matrix.scenarios[i].id + "`", cells);
    }
  }
  return out;
}

std::string render_matrix_html(const Matrix& matrix) {
  std::string out = kHead;
  out += html_summary(matrix);
  const std::string note = option_note(matrix);
  out += note.empty() ? "" : "<p>" + escaped(note) + "</p>\n";
  out += "<ul>\n";
  for (const auto& subject : matrix.subjects) {
    const std::string remark = subject.unusable.empty() ? subject.remark : "not usable: " + subject.unusable;
    out += "<li>" + escaped(subject.candidate.name) + ": " +
           escaped(subject.candidate.library.empty() ? "the C library" : subject.candidate.library.filename().string()) +
           (subject.sha256.empty() ? "" : ", SHA-256 <code>" + subject.sha256 + "</code>") +
           (remark.empty() ? "" : "; " + escaped(remark)) + "</li>\n";
  }
  out += "</ul>\n";
  for (const auto& section : sections_of(matrix)) {
    out += html_section(matrix, section);
  }
  return out + "</html>\n";
}

}  // namespace bench::verify
