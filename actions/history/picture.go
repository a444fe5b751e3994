package history

import (
	"io"
	"time"

	"cowscope/vmspace"
)

// pictureJSON is a step of a watched family as JSON, without its processes.
type pictureJSON struct {
	Time    string       `json:"time"`
	Changes []jsonChange `json:"changes"`
	Faults  []FaultJSON  `json:"faults"` // that perf events told of
	Lost    uint64       `json:"lost"`   // of those, how many there was no room for
}

// WritePicture writes the step as one line: when it was, what has changed, and the processes that
// have, as in the JSON of a snapshot; all of them where it is the first.
func (st *Step) WritePicture(w io.Writer, at time.Time) error {
	b, err := EncodeJSON(pictureJSON{Time: at.Format(time.RFC3339Nano), Changes: jsonChanges(st.Changes), Faults: FaultList(st.Faults), Lost: st.Lost})
	if err != nil {
		return err
	}
	changed := map[string]bool{}
	for _, c := range st.Changes {
		changed[c.Process] = true
	}
	s := &vmspace.Snapshot{PageSize: st.After.PageSize, Frames: st.After.Frames}
	for _, p := range st.After.Processes {
		if st.Before == nil || changed[p.Label] {
			s.Processes = append(s.Processes, p)
		}
	}
	return withSnapshot(w, b, s, nil)
}
