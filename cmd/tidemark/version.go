package main

import (
	"encoding/json"
	"fmt"
	"runtime"
)

type versionCmd struct {
	JSON bool `help:"As JSON." name:"json"`
}

// Run prints what was built, when and from what.
func (c *versionCmd) Run(s *streams) error {
	if c.JSON {
		return json.NewEncoder(s.out).Encode(map[string]string{
			"version": version, "commit": commit, "date": date, "go": runtime.Version(),
		})
	}
	_, err := fmt.Fprintf(s.out, "tidemark %s (commit %s, built %s, %s)\n", version, commit, date, runtime.Version())
	return err
}
