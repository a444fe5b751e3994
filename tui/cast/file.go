package cast

import (
	"bufio"
	"io"

	"cowscope/actions/output"
)

// File is the file of a recording. Its previous content stays until the first line is written.
type File = output.File

// Create creates a file for a recording, or opens an existing recording to be overwritten, by the
// rules of package output. An empty path gives a nil File.
func Create(path string) (*File, error) {
	return output.Kind{By: "--record", What: "a recording", Mine: isRecording}.Open(path)
}

// isRecording reports whether a file begins as a recording does.
func isRecording(head io.Reader) bool {
	line, _ := bufio.NewReader(head).ReadBytes('\n')
	_, err := parseHeader(line)
	return err == nil
}
