package command

// Info is what INFO tells.
type Info struct{}

func newInfo(e *Engine) *Info { return &Info{} }
