// Package history is what happened, as plain data: who makes steps and who shows them have nothing else in common.
package history
