// Command explorer keeps Canada's federal bills up to date and serves them, with the pipeline that does, over HTTP.
package main

import (
	"os"

	"github.com/parliament-explorer/parliament-explorer/cli"
)

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(cli.Main(os.Args[1:], version, os.Stdout, os.Stderr)) }
