"""A web shop of real services, so that a newcomer has traces to look at.

::

    visitors ─▶ frontend ─HTTP▶ checkout ─HTTP▶ inventory ─▶ database (locks, slow now and then)
                    └───HTTP▶ inventory  ├─gRPC▶ payment      (declines, fails now and then)
                                         └─queue▶ shipping    (links to what it works on)

Each service is a process of its own with the OpenTelemetry SDK, as a user's would be.
"""
