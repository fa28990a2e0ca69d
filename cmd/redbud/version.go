package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/redbud-go/redbud/internal/command"
)

// versionFacts are what version tells; the names are those of its JSON.
type versionFacts struct {
	Version  string `json:"version"`
	Redis    string `json:"redis"` // whose behaviour the commands have
	Go       string `json:"go"`
	Platform string `json:"platform"`
	Commit   string `json:"commit,omitempty"`
}

func versionCommand(s streams) *cobra.Command {
	asJSON := false
	c := &cobra.Command{
		Use:               "version",
		Short:             "Tell the version",
		Args:              cobra.NoArgs,
		ValidArgsFunction: cobra.NoFileCompletions,
		Example:           "  redbud version --json",
		RunE: func(*cobra.Command, []string) error {
			facts := versionFacts{
				Version:  command.Version(),
				Redis:    command.RedisVersion,
				Go:       runtime.Version(),
				Platform: runtime.GOOS + "/" + runtime.GOARCH,
				Commit:   commit(),
			}
			if asJSON {
				return json.NewEncoder(s.out).Encode(facts)
			}
			_, err := fmt.Fprintf(s.out, "redbud %s (commands of Redis %s, %s, %s)\n", facts.Version, facts.Redis, facts.Go, facts.Platform)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "as a line of JSON")
	return c
}

// commit is the revision that the program was built from, if the build knew.
func commit() string {
	build, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, setting := range build.Settings {
		if setting.Key == "vcs.revision" {
			return setting.Value
		}
	}
	return ""
}
