package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/redbud-go/redbud/internal/command"
	"github.com/redbud-go/redbud/internal/engine"
)

// completeURL completes the scheme of a URL.
func completeURL(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var urls []string
	for _, scheme := range engine.Schemes() {
		urls = append(urls, scheme+"://")
	}
	return urls, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}

// completeCall completes URL COMMAND [ARG…]: a scheme, a command of the table, its subcommand; then it reminds of the
// arguments.
func completeCall(c *cobra.Command, args []string, word string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return completeURL(c, args, word)
	}
	rows := command.Commands.All()
	if len(args) > 1 {
		row := command.Commands.Lookup([]byte(args[1]))
		switch {
		case row == nil:
			return nil, cobra.ShellCompDirectiveNoFileComp
		case len(args) > 2 || row.Subs == nil:
			return remind(row, args), cobra.ShellCompDirectiveNoFileComp
		}
		rows = row.Subs
	}
	var names []string
	for _, row := range rows {
		name := row.Name
		if word != "" && word[0] >= 'A' && word[0] <= 'Z' {
			name = strings.ToUpper(name)
		}
		if strings.HasPrefix(name, word) {
			names = append(names, name+"\t"+row.Doc)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// remind shows the arguments of the command that is being typed.
func remind(row *command.Command, args []string) []string {
	if row.Subs != nil {
		row = command.Commands.Named([]byte(args[1] + "|" + args[2]))
	}
	if row == nil {
		return nil
	}
	return cobra.AppendActiveHelp(nil, strings.ToUpper(strings.ReplaceAll(row.FullName(), "|", " "))+" "+row.Usage)
}
