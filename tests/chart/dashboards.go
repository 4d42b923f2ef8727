// Reads dashboards by Grafana's own description of the classic format, and says what does not fit.
//
//	dashboards FILE…
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func main() {
	plugins.RegisterDefaultPlugins()
	wrong := 0
	for _, file := range os.Args[1:] {
		if err := check(file); err != nil {
			fmt.Printf("%s: %v\n", file, err)
			wrong++
		}
	}
	if wrong > 0 || len(os.Args) == 1 {
		os.Exit(1)
	}
}

func check(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	if err := found(read.UnmarshalJSONStrict(raw)); err != nil {
		return err
	}
	return found(read.Validate())
}

// An error without anything in it is none: the package gives such a one where all is well.
func found(err error) error {
	var each cog.BuildErrors
	if errors.As(err, &each) && len(each) == 0 {
		return nil
	}
	return err
}
