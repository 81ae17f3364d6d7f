"""The topics of the course by their numbers. Loads nothing, so that anybody may ask."""

TOPICS = {
    number: f"{number}_{name}"
    for number, name in (
        ("00", "start_here"),
        ("01", "similarity"),
        ("02", "soft_lookup"),
        ("03", "self_attention"),
        ("04", "masks"),
        ("05", "positions"),
        ("06", "multi_head"),
        ("07", "cross_attention"),
        ("08", "transformer_block"),
        ("09", "character_model"),
        ("10", "recurrence"),
        ("11", "long_sequences"),
        ("12", "inside_the_model"),
        ("13", "your_transformer"),
    )
}
