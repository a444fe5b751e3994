// Package lang is cowscope's command language: one command a line.
//
//	repeat 3  @p2  buf  =  mmap  4p  rw  private anon  offset=1p   # a comment
//	│         │    │       │     │   │   └───────┬──────────────┘
//	│         │    │       │     │   │           tail in any order: flags, options, choices
//	│         │    │       │     └─┬─┘
//	│         │    │       │       positional arguments, in the order of the verb's table row
//	│         │    │       verb: one word, or two for a verb with forms (expect page)
//	│         │    the name given to the new range
//	│         the process that acts
//	repeat: the line runs this many times
//
// The verbs are not known here. A table of [Verb] makes a [Grammar], and everything else follows
// from the table: parsing, canonical printing, usage lines, errors with a position, completion, and
// the fields of forms. The package does no I/O and resolves no names: the caller knows which names
// exist, where they lie and how large a page is, so values keep names and page counts as they were
// written, and every argument keeps its column for later errors.
//
// Rules of a line:
//
//   - Blanks and tabs separate words. A '#' outside a string starts a comment, also within a word.
//   - A string is "…" with Go's escapes; it is a whole word or the value of an option
//     (file="my file").
//   - A line contains only printable characters; any other byte is written as an escape in a
//     string.
//   - A name is a letter, then letters, digits and '_'. A name that looks like a process (p1, p22)
//     is refused. A name may equal a verb or a flag: the position decides.
//   - repeat applies to the rest of the line, so it comes first, and only once.
//   - A number can replace a word that stands for a kernel constant: madvise a 17, mprotect a 0x8.
//     A number among flags is an option (flags=0x10), because a number after a range is its size.
//   - If an optional quantity precedes a required one (mremap RANGE Q), the required one is matched
//     first.
//   - In a place, + and - apply from left to right: a-1p+20 is one page down, then 20 bytes up.
//
// A line has at most [MaxLine] bytes and [MaxWords] words.
//
// [Command.String] prints the canonical line. Parsing it gives the same command again.
package lang
