// Becomes the worker, so that `go run` has one.
package main

import (
	"os"
	"syscall"
)

func main() {
	panic(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
}
