package cast

import (
	"bufio"
	"io"

	"cowscope/actions/output"
)

// File is a file that a recording goes to. It stays as it was until the first line is written.
type File = output.File

// Create makes a file for a recording, or opens one that holds a recording already, to be
// overwritten, by the rules of package output. No path is no file.
func Create(path string) (*File, error) {
	return output.Kind{By: "--record", What: "a recording", Mine: isRecording}.Open(path)
}

// isRecording says whether a file begins as a recording does.
func isRecording(head io.Reader) bool {
	line, _ := bufio.NewReader(head).ReadBytes('\n')
	_, err := parseHeader(line)
	return err == nil
}
