package command

var commandCommands = []*Command{}
