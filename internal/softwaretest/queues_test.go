package softwaretest

import (
	"net"
	"testing"

	"github.com/redbud-go/redbud/internal/testenv"
)

func TestWorkersOfRQDoTheirJobs(t *testing.T) {
	t.Parallel()
	printsTheSame(t, "rq", "rqjobs.py")
}

func TestWorkersOfCeleryDoTheirTasks(t *testing.T) {
	t.Parallel()
	printsTheSame(t, "celery", "celeryjobs.py")
}

// printsTheSame runs a Python program that needs a module against redbud's own memory and against redis-server.
func printsTheSame(t *testing.T, module, file string) {
	t.Helper()
	path := python(t, module)
	output := func(addr string) string {
		host, port, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		out, code := tool{path, []string{"testdata/" + file, host, port}, nil}.run(t)
		if code != 0 {
			t.Fatalf("the program ends with %d and\n%s", code, out)
		}
		return out
	}
	got, want := output(serve(t).addr), output(testenv.Redis(t).Addr)
	if got != want {
		t.Errorf("it prints\n%s\nand of redis-server\n%s", got, want)
	}
}
