package command

// Settings is what CONFIG reads and writes.
type Settings struct{}

func newSettings() *Settings { return &Settings{} }
