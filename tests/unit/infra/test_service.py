"""The requirements of a service on its host."""

import resource

from infra.service import allow_open_files


def test_the_limit_of_open_files_is_raised_as_far_as_the_host_allows() -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    hard = before[1]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
        assert allow_open_files(300) == 300
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)
        assert allow_open_files(200) == 300, "never lowered"
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
