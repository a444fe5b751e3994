package printable

import "fmt"

// Bytes formats bytes: hexadecimal, and as text too if all are printable.
func Bytes(b []byte) string {
	hex := fmt.Sprintf("% x", b[:min(len(b), 16)])
	if len(b) > 16 {
		hex += " …"
	}
	for _, x := range b {
		if x < ' ' || x > '~' {
			return hex
		}
	}
	return fmt.Sprintf("%s %q", hex, b[:min(len(b), 16)])
}
