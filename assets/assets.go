// Package assets holds what is embedded in the program. There is no logic here.
package assets

import "embed"

// Lessons are the lessons, as lessons/LANGUAGE/NAME.md.
//
//go:embed lessons
var Lessons embed.FS
