package command

var transactionCommands = []*Command{}
