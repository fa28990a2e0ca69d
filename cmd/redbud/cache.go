package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/redbud-go/redbud/cache"
	"github.com/redbud-go/redbud/cache/codec"
)

// cacheOptions are the flags of redbud cache.
type cacheOptions struct {
	prefix, codec string
	soft          bool
}

func cacheCommand(s streams) *cobra.Command {
	var o cacheOptions
	c := &cobra.Command{
		Use:   "cache",
		Short: "Look at the values of a cache, and delete them",
		Long: `Looks at what programs keep by package cache on the engine that URL names, and deletes it. A cache owns the keys that begin
with its prefix; --codec says how its values are stored.`,
		Example: `  redbud cache get --prefix users: redis://localhost ann
  redbud cache stats --prefix users: redis://localhost
  redbud cache clear --prefix users: redis://localhost
  redbud cache tag --prefix users: redis://localhost berlin paris`,
		Args: cobra.NoArgs, // else what is no command is taken for a call for help
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&o.prefix, "prefix", "", "what the keys of the cache begin with")
	get := &cobra.Command{
		Use: "get URL KEY", Short: "Print the value at a key as JSON", Args: cobra.ExactArgs(2), ValidArgsFunction: completeURL,
		Long: "Prints the value at a key as a line of JSON, one of raw:// as it is. The exit code is 1 if there is none.",
		RunE: func(c *cobra.Command, args []string) error {
			values, err := codec.Open(o.codec)
			if err != nil {
				return err
			}
			if strings.HasPrefix(values.String(), "raw") { // no any could hold them
				return withCache(c.Context(), &o, values, args[0], func(ctx context.Context, c *cache.Cache[[]byte]) error {
					return getCached(ctx, c, args[1], func(b []byte) error { _, err := s.out.Write(b); return err })
				})
			}
			return withCache(c.Context(), &o, values, args[0], func(ctx context.Context, c *cache.Cache[any]) error {
				lines := json.NewEncoder(s.out)
				lines.SetEscapeHTML(false)
				return getCached(ctx, c, args[1], lines.Encode)
			})
		},
	}
	get.Flags().StringVar(&o.codec, "codec", "msgpack://", "how values are stored: json://, msgpack+zstd://, …")
	stats := &cobra.Command{
		Use: "stats URL", Short: "Count the values and what they take", Args: cobra.ExactArgs(1), ValidArgsFunction: completeURL,
		RunE: func(c *cobra.Command, args []string) error {
			return withCache(c.Context(), &o, nil, args[0], func(ctx context.Context, c *cache.Cache[any]) error { return showUsage(ctx, s, c) })
		},
	}
	clear := &cobra.Command{
		Use: "clear URL", Short: "Delete all values of the cache, and nothing else", Args: cobra.ExactArgs(1), ValidArgsFunction: completeURL,
		RunE: func(c *cobra.Command, args []string) error {
			return withCache(c.Context(), &o, nil, args[0], func(ctx context.Context, c *cache.Cache[any]) error { return clearCache(ctx, s, c) })
		},
	}
	tag := &cobra.Command{
		Use: "tag URL TAG...", Short: "Purge all values with one of the tags", Args: cobra.MinimumNArgs(2), ValidArgsFunction: completeURL,
		RunE: func(c *cobra.Command, args []string) error {
			return withCache(c.Context(), &o, nil, args[0], func(ctx context.Context, c *cache.Cache[any]) error {
				if o.soft {
					return c.ExpireTags(ctx, args[1:]...)
				}
				return c.PurgeTags(ctx, args[1:]...)
			})
		},
	}
	tag.Flags().BoolVar(&o.soft, "soft", false, "make them stale instead, so that programs may go on with them while they load new ones")
	c.AddCommand(get, stats, clear, tag)
	return c
}

// withCache opens a cache for one command.
func withCache[T any](ctx context.Context, o *cacheOptions, values codec.Codec, url string, do func(context.Context, *cache.Cache[T]) error) (err error) {
	c, err := cache.Open[T](ctx, url, cache.Options{Prefix: o.prefix, Codec: values})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	return do(ctx, c)
}

func getCached[T any](ctx context.Context, c *cache.Cache[T], key string, show func(T) error) error {
	value, err := c.Get(ctx, key)
	if err != nil && !errors.Is(err, cache.ErrStale) {
		return err
	}
	if err := show(value); err != nil {
		return fmt.Errorf("print the value: %w", err)
	}
	return nil
}

// nowAndThen is how often progress is told at most.
const nowAndThen = time.Second

// teller tells progress to people now and then.
func teller[P any](s streams, format string, number func(P) int) func(P) {
	told := time.Now()
	return func(p P) {
		if time.Since(told) > nowAndThen {
			told = time.Now()
			fmt.Fprintf(s.err, format+"\n", number(p))
		}
	}
}

func showUsage(ctx context.Context, s streams, c *cache.Cache[any]) error {
	u, err := c.Usage(ctx, teller(s, "%d values so far", func(u cache.Usage) int { return u.Values }))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "values: %d\nwithout a time to live: %d\nbytes: %d\n", u.Values, u.Forever, u.Bytes)
	return err
}

func clearCache(ctx context.Context, s streams, c *cache.Cache[any]) error {
	n, err := c.Clear(ctx, teller(s, "%d values deleted so far", func(n int) int { return n }))
	if err != nil {
		return fmt.Errorf("%w; %d values were deleted before", err, n)
	}
	_, err = fmt.Fprintf(s.out, "%d values deleted\n", n)
	return err
}
