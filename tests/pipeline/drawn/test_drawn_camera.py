import numpy as np
import pytest

from pipeline.drawn.camera import Camera, handheld, still, turned


def test_a_point_on_the_ground_is_below_the_horizon_by_focal_times_height_over_distance() -> None:
    camera = still(height=1.5, focal=400.0, center=(320.0, 140.0))

    pixel = camera.project(camera.view(np.array([[1.0, 0.0, 4.0]])))

    assert pixel[0] == pytest.approx([320 + 100, 140 + 150])


def test_turning_right_moves_the_world_left_and_turning_up_moves_it_down() -> None:
    zero = np.zeros(1)
    ahead = np.array([[0.0, 1.0, 5.0]])

    def seen(yaw: float, pitch: float) -> list[float]:
        rotation = turned(np.array([yaw]), pitch=np.array([pitch]), roll=zero)
        camera = Camera(height=1.0, rotation=rotation, focal=np.array([100.0]), center=(0.0, 0.0))
        return [float(value) for value in camera.project(camera.view(ahead))[0]]

    assert seen(0.1, 0.0) == pytest.approx([-100 * np.tan(0.1), 0.0])
    assert seen(0.0, 0.1) == pytest.approx([0.0, 100 * np.tan(0.1)])


def test_far_things_move_with_the_backdrop() -> None:
    times = np.linspace(0, 1, 5)
    rng = np.random.default_rng(3)
    camera = handheld(times, rng=rng, duration=1.0, height=1.2, focal=400.0, center=(100.0, 50.0))
    direction = np.array([0.1, 0.05, 1.0])
    far = np.array([0.0, 1.2, 0.0]) + 50 * direction

    pixels = camera.project(camera.view(np.broadcast_to(far, (5, 3))))

    for instant in range(5):
        x, y, w = camera.matrix(instant) @ direction
        assert pixels[instant] == pytest.approx([x / w, y / w])
    assert np.ptp(pixels, axis=0).max() > 1
