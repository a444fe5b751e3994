package why

import (
	"fmt"
	"slices"

	"cowscope/actions/verdict"
	"cowscope/vmspace"
	"cowscope/vmspace/amount"
	"cowscope/vmspace/printable"
)

// Row is a row of a report for people: the head of a process, where Verdict and Text are empty; a
// sentence, which begins with the name of its verdict and an amount; or evidence.
type Row struct {
	Head, Verdict, Amount, Text string
	Evidence                    bool
}

// Rows gives what was found in the order of the processes, and what the reading cost them.
func (r *Report) Rows() (rows []Row) {
	for _, p := range r.Snapshot.Processes {
		head := fmt.Sprintf("%s %s, pid %d", p.Label, r.Names[p.Label], p.PID)
		if p.Parent != "" {
			head += ", child of " + p.Parent
		}
		switch sizes := p.Sizes(); {
		case p.Err != "":
			rows = append(rows, Row{Head: head + ": " + printable.Line(p.Err)})
			continue
		case !p.Alive():
			rows = append(rows, Row{Head: head + ": " + p.State.String()})
			continue
		case sizes.Known:
			head += fmt.Sprintf(": rss %s, pss %s, uss %s", amount.Size(sizes.RSS), amount.Size(sizes.PSS), amount.Size(sizes.USS))
		}
		found := r.of(p.Label, head)
		if sizes := p.Sizes(); sizes.Known {
			anon := anonymous(p)
			found = slices.Insert(found, 1, Row{Text: fmt.Sprintf("RSS: %s of anonymous memory, %s of files and shared memory.", amount.Size(anon), amount.Size(sizes.RSS-min(anon, sizes.RSS)))})
		}
		rows = append(rows, found...)
	}
	if len(r.Snapshot.Processes) > 1 {
		rows = append(rows, r.of(verdict.Family, "all together")...)
	}
	return append(rows, Row{Text: fmt.Sprint(r.Cost)})
}

// anonymous is how much of what is resident is not in the page cache (smaps, Anonymous).
func anonymous(p *vmspace.Process) (sum uint64) {
	for at := p.Mappings.Walk(0); at.Item() != nil; at.Next() {
		if c := at.Item().Smaps; c != nil {
			sum += c.Anonymous
		}
	}
	return sum
}

// of gives the head of one process and what was found of it.
func (r *Report) of(label, head string) []Row {
	rows := []Row{{Head: head}}
	for _, f := range r.Findings {
		switch {
		case f.Process != label:
		case f.Unknown != "":
			rows = append(rows, Row{Verdict: f.Verdict, Amount: "unknown", Text: f.Unknown})
		default:
			size := ""
			if f.Bytes > 0 {
				size = amount.Size(f.Bytes)
			}
			rows = append(rows, Row{Verdict: f.Verdict, Amount: size, Text: f.Text}, Row{Text: f.Evidence, Evidence: true})
			if f.Lesson != "" {
				rows = append(rows, Row{Text: "cowscope lesson " + f.Lesson, Evidence: true})
			}
		}
	}
	if len(rows) == 1 {
		rows = append(rows, Row{Text: "Nothing stands out."})
	}
	return rows
}

// The columns of a report: verdict, amount, text.
const (
	AmountColumn = 16
	TextColumn   = AmountColumn + 12
)
