// Cowscope is a terminal laboratory for virtual memory.
package main

import (
	"os"

	"cowscope/tui/cli"
)

func main() {
	if status := cli.Run(os.Args[1:]); status != 0 {
		os.Exit(status)
	}
}
