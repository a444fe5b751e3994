// Package cast writes and reads recordings of a terminal, as asciinema plays them: asciicast
// version 2 and version 3 (https://docs.asciinema.org/manual/asciicast/v2/ and …/v3/).
//
//	{"version":2,"width":120,"height":36,…}      the header, one line
//	[0.512, "o", "…"]                            what a program wrote to the terminal
//	[0.700, "m", "fork"]                         a marker: a chapter of the recording
//	[1.031, "r", "80x24"]                        the terminal has another size
//	[1.200, "i", "m"]                            what was typed
//
// Times are seconds since the beginning in version 2, and since the previous line in version 3.
//
// Rules: each line is written as a whole, by one call, as soon as its frame is over, so that the
// recording survives the end of the program; a character is never split; times never decrease.
package cast
