"""The measured constants are whole, and of the size that their units say."""

from dataclasses import asdict

from pretraining.planning.constants import measured


def test_constants_are_whole() -> None:
    host, reference = measured()
    assert all(value >= 0 for value in asdict(host).values())
    assert host.batch_seconds_a_sequence < 1e-5
    assert 0.1 < host.save_seconds_a_gb < 100
    assert 0 < reference.mfu < reference.product_share < 1
