// Command explorer keeps Canada's federal bills up to date, and serves the bills and the pipeline over HTTP. Run
// "explorer --help" for its commands. Package cli has all of its code.
package main

import (
	"os"

	"github.com/parliament-explorer/parliament-explorer/cli"
)

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(cli.Main(os.Args[1:], version, os.Stdout, os.Stderr)) }
