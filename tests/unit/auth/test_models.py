from apis.shared.auth.models import User


def test_a_user_is_built_by_position_or_name() -> None:
    by_position = User("a@b.c", "123456789", "Ada", ["Staff"])
    by_name = User(email="a@b.c", user_id="123456789", name="Ada", roles=["Staff"], picture=None)
    assert by_position == by_name
