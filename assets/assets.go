// Package assets holds what is embedded in the program. There is no logic here.
package assets

import "embed"

// Lessons are the lessons, as lessons/LANGUAGE/NAME.md, and in lessons/path.txt the order in which
// they are to be taken.
//
//go:embed lessons
var Lessons embed.FS

// Demos are the demos, as demos/NAME.cow.
//
//go:embed demos
var Demos embed.FS
