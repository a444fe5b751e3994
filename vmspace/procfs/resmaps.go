package procfs

import (
	"bytes"

	"cowscope/vmspace"
)

// Rules of this file: pure. Little of smaps changes between two steps, so only what is new in its
// text is parsed. Mappings whose text is unchanged, byte for byte, are kept with their counters.

// SmapsText is the last text of smaps and its mappings.
type SmapsText struct {
	text   []byte
	at     []int // where each mapping's lines begin
	maps   []vmspace.Mapping
	spare  []vmspace.Mapping // the previous maps; scratch
	parser SmapsParser
}

// Parse returns the mappings that the text lists. They are valid until the next call.
func (s *SmapsText) Parse(text []byte) ([]vmspace.Mapping, error) {
	k, from := s.sameHead(text)
	j, to := s.sameTail(text, k, from)
	s.parser.Reset()
	err := s.parser.Parse(text[from:to])
	// The error must name the line in the whole text.
	if err != nil && (k > 0 || j < len(s.at)) {
		*s = SmapsText{parser: s.parser}
		return s.Parse(text)
	}
	if err != nil {
		return nil, err
	}
	maps := append(append(append(s.spare[:0], s.maps[:k]...), s.parser.maps...), s.maps[j:]...)
	if !inOrder(maps) {
		return nil, ErrTorn
	}
	s.remember(text, k, j, from, to)
	s.maps, s.spare = maps, s.maps
	// A line looks like the start of a mapping and is not: no mapping of this text is reused.
	if len(s.at) != len(maps) {
		*s = SmapsText{parser: s.parser}
	}
	return maps, nil
}

// sameHead returns how many mappings at the start of the text are unchanged, and where they end.
func (s *SmapsText) sameHead(text []byte) (k, end int) {
	n := min(len(text), len(s.text))
	same := 0
	for same+64 <= n && bytes.Equal(text[same:same+64], s.text[same:same+64]) {
		same += 64
	}
	for same < n && text[same] == s.text[same] {
		same++
	}
	for k < len(s.at) && s.endOf(k) <= same && (s.endOf(k) == len(text) || begins(text[s.endOf(k):])) {
		end = s.endOf(k)
		k++
	}
	return k, end
}

// sameTail returns the index of the mapping from which on the text is unchanged, and where that
// mapping begins in the new text.
func (s *SmapsText) sameTail(text []byte, k, from int) (j, begin int) {
	n := min(len(text), len(s.text)) - from
	same := 0
	for same < n && text[len(text)-1-same] == s.text[len(s.text)-1-same] {
		same++
	}
	j, begin = len(s.at), len(text)
	for j > k && len(s.text)-s.at[j-1] <= same {
		b := len(text) - (len(s.text) - s.at[j-1])
		if b > 0 && text[b-1] != '\n' {
			break
		}
		j, begin = j-1, b
	}
	return j, begin
}

func (s *SmapsText) endOf(i int) int {
	if i+1 < len(s.at) {
		return s.at[i+1]
	}
	return len(s.text)
}

// begins reports whether text begins with a line of maps; counters begin with capital letters.
func begins(text []byte) bool { return len(text) > 0 && (text[0] < 'A' || text[0] > 'Z') }

// remember keeps the text and the offsets of its mappings.
func (s *SmapsText) remember(text []byte, k, j, from, to int) {
	shift := len(text) - len(s.text)
	tail := append([]int(nil), s.at[j:]...)
	s.at = s.at[:k]
	for at := from; at < to; {
		if begins(text[at:]) {
			s.at = append(s.at, at)
		}
		i := bytes.IndexByte(text[at:to], '\n')
		if i < 0 {
			break
		}
		at += i + 1
	}
	for _, a := range tail {
		s.at = append(s.at, a+shift)
	}
	s.text = append(s.text[:0], text...)
}

func inOrder(maps []vmspace.Mapping) bool {
	end := uint64(0)
	for i := range maps {
		if maps[i].Start < end {
			return false
		}
		end = maps[i].End
	}
	return true
}
