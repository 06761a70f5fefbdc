"""The tables of the model card hold what the catalogue holds."""

from pathlib import Path

from topo_sim.optics import load_optics

CARD = Path(__file__).resolve().parents[2] / "docs" / "models" / "optics.md"


def written(value, factor):
    texts = [f"{number * factor:.4g}" for number in (value.low, value.typical, value.high)]
    return f"{texts[0] if len(set(texts)) == 1 else ' .. '.join(texts)}, {value.mark}"


def test_the_table_of_media_is_current():
    rows = {}
    for line in CARD.read_text().splitlines():
        if line.startswith("| `"):
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            rows[cells[0].strip("`")] = cells[1:]
    media = load_optics().media
    assert list(rows) == list(media)
    for name, medium in media.items():
        fields = (
            (medium.energy_per_bit, 1e12),
            (medium.static_share, 1),
            (medium.serdes_energy, 1e12),
            (medium.reach, 1),
            (medium.bandwidth_density, 8e-15),
        )
        assert rows[name] == ["-" if value is None else written(value, factor) for value, factor in fields]
