package command

var expireCommands = []*Command{}
