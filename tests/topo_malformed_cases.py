"""Malformed topology files: (id, file name, bytes, a fragment of the fault)."""

import json

Case = tuple[str, str, bytes, str]

HEAD = b"topo_sim: 1\n"
PAIR = HEAD + b"fabric:\n  nodes: [{name: a}, {name: b}]\n"


def torus(dims: str, *more: str) -> bytes:
    return HEAD + "\n".join(["fabric:", "  generator: torus", f"  dims: {dims}", *more]).encode() + b"\n"


def generated(text: str) -> bytes:
    return HEAD + f"fabric: {{{text}}}\n".encode()


def grouped(text: str) -> bytes:
    return generated(f"generator: grouped, {text}")


def explicit(nodes: str, links: str, more: str = "") -> bytes:
    return HEAD + f"fabric:\n  nodes: [{nodes}]\n  links: [{links}]\n{more}".encode()


def link(text: str) -> bytes:
    return explicit("{name: a}, {name: b}", f"{{source: a, target: b, {text}}}")


def tops(text: str) -> bytes:
    return torus("[2, 2]") + text.encode() + b"\n"


def as_json(fabric: object, **more: object) -> bytes:
    return json.dumps({"topo_sim": 1, "fabric": fabric, **more}).encode()


BOMB = b"".join(
    b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9) if i else b"lol") for i in range(9)
)

BYTES: list[Case] = [
    ("empty", "a.yaml", b"", "found nothing"),
    ("empty_json", "a.json", b"", "expected valid JSON"),
    ("only_a_comment", "a.yaml", b"# nothing\n", "found nothing"),
    ("only_a_byte_order_mark", "a.yaml", b"\xef\xbb\xbf", "found nothing"),
    ("binary", "a.yaml", bytes(range(256)), "expected UTF-8 text"),
    ("png", "a.json", b"\x89PNG\r\n\x1a\n\0\0", "expected UTF-8 text"),
    ("utf_16", "a.yaml", HEAD.decode().encode("utf-16"), "expected UTF-8 text"),
    ("nul", "a.yaml", b"topo_sim: 1\0", "NUL"),
    ("control_character", "a.yaml", b"topo_sim: \x07", "expected valid YAML"),
    ("xml", "a.yaml", b"<graphml/>", "found XML"),
    ("too_large", "a.yaml", b"#" * (64 * 2**20 + 1), "more than 64 MiB"),
]

YAML: list[Case] = [
    ("list_on_top", "a.yaml", b"- topo_sim: 1\n", "found a list, expected a mapping"),
    ("text_on_top", "a.yaml", b"torus", 'found "torus", expected a mapping'),
    ("number_on_top", "a.yaml", b"8", "found 8, expected a mapping"),
    ("two_documents", "a.yaml", torus("[2]") + b"---\n" + torus("[2]"), "another document"),
    ("tab", "a.yaml", HEAD + b"fabric:\n\tgenerator: torus\n", "expected valid YAML"),
    ("unclosed_list", "a.yaml", torus("[2, 2"), "expected valid YAML"),
    ("unclosed_text", "a.yaml", HEAD + b'name: "torus\n', "expected valid YAML"),
    ("bad_indent", "a.yaml", HEAD + b"  fabric: 1\n", "expected valid YAML"),
    ("duplicate_key", "a.yaml", torus("[2, 2]", "  dims: [4, 4]"), 'duplicate key "dims"'),
    ("duplicate_key_on_top", "a.yaml", torus("[2]") + HEAD, 'duplicate key "topo_sim"'),
    ("list_as_key", "a.yaml", HEAD + b"? [a, b]\n: 1\n", "as a key"),
    ("alias_bomb", "a.yaml", BOMB + torus("[2]"), "more than 8 aliases"),
    ("alias_in_itself", "a.yaml", HEAD + b"fabric: &f [*f]\n", "inside its own anchor"),
    ("unknown_alias", "a.yaml", HEAD + b"fabric: *f\n", "undefined alias"),
    ("deep", "a.yaml", HEAD + b"fabric: " + b"[" * 100_000, "levels of nesting"),
    ("deep_blocks", "a.yaml", b"".join(b" " * i + b"a:\n" for i in range(100)), "levels of nesting"),
    ("python_object", "a.yaml", HEAD + b"fabric: !!python/object/apply:os.getcwd []\n", "found the tag"),
    ("set", "a.yaml", HEAD + b"fabric: !!set {a}\n", "found the tag"),
    ("false_tag", "a.yaml", torus('!!int "x"'), "tagged !!int"),
    ("merge_key", "a.yaml", torus("[2]", "  <<: {latency: 1 us}"), 'unknown key "<<"'),
    ("on_is_text", "a.yaml", grouped("forward: on"), 'found "on", expected true or false'),
    ("octal_is_text", "a.yaml", torus("[010, 2]"), 'found "010", expected an integer'),
    ("sexagesimal_is_text", "a.yaml", torus("1:30"), 'found "1:30", expected an integer or a list'),
    ("hexadecimal_is_text", "a.yaml", torus("[0x10]"), 'found "0x10", expected an integer'),
    ("surrogate", "a.yaml", tops('name: "\\ud800"'), "expected"),
]

JSON: list[Case] = [
    ("json_list", "a.json", b"[1]", "found a list, expected a mapping"),
    ("json_null", "a.json", b"null", "found nothing, expected a mapping"),
    ("json_trailing_comma", "a.json", b'{"topo_sim": 1,}', "expected valid JSON"),
    ("json_cut_off", "a.json", as_json({"generator": "torus"})[:-2], "expected valid JSON"),
    ("json_single_quotes", "a.json", b"{'topo_sim': 1}", "expected valid JSON"),
    ("json_duplicate", "a.json", b'{"topo_sim": 1, "topo_sim": 1}', 'duplicate key "topo_sim"'),
    (
        "json_duplicate_inside",
        "a.json",
        b'{"topo_sim": 1, "fabric": {"graph": "x", "graph": "y"}}',
        "fabric.graph: duplicate key",
    ),
    ("json_nan", "a.json", as_json({"generator": "torus", "bandwidth": float("nan")}), "not finite"),
    ("json_infinity", "a.json", as_json({"generator": "torus", "latency": float("inf")}), "not finite"),
    ("json_nan_integer", "a.json", as_json({"generator": "torus", "dims": float("nan")}), "not finite"),
    (
        "json_1e400",
        "a.json",
        b'{"topo_sim": 1, "fabric": {"generator": "torus", "bandwidth": 1e400}}',
        "not finite",
    ),
    (
        "json_huge",
        "a.json",
        b'{"topo_sim": 1, "fabric": {"generator": "torus", "dims": 1%s}}' % (b"0" * 5000),
        "not",
    ),
    ("json_deep", "a.json", b"[" * 1_000_000, "levels of nesting"),
    ("json_deep_closed", "a.json", b'{"topo_sim": %s%s}' % (b"[" * 500, b"]" * 500), "levels of nesting"),
    ("json_surrogate", "a.json", b'{"topo_sim": 1, "name": "\\ud800"}', "half a surrogate pair"),
    (
        "json_text_as_number",
        "a.json",
        as_json({"generator": "torus", "dims": ["4"]}),
        'found "4", expected an integer',
    ),
    (
        "json_in_yaml",
        "a.yaml",
        as_json({"generator": "torus", "dims": [4.0]}),
        "found 4.0, expected an integer",
    ),
]

TOP: list[Case] = [
    ("no_version", "a.yaml", b"fabric: {generator: torus}\n", "topo_sim: missing, expected 1"),
    ("version_2", "a.yaml", b"topo_sim: 2\nfabric: {generator: torus}\n", "found 2, expected 1"),
    ("version_true", "a.yaml", b"topo_sim: true\nfabric: {generator: torus}\n", "found true, expected 1"),
    ("version_float", "a.yaml", b"topo_sim: 1.0\nfabric: {generator: torus}\n", "found 1.0, expected 1"),
    ("version_text", "a.yaml", b'topo_sim: "1"\nfabric: {generator: torus}\n', 'found "1", expected 1'),
    ("no_fabric", "a.yaml", HEAD, "fabric: missing, expected the network"),
    ("unknown_key", "a.yaml", tops("fabrics: 1"), 'unknown key "fabrics": did you mean "fabric"?'),
    ("number_as_key", "a.yaml", tops("8: 1"), 'unknown key "8"'),
    ("name_is_a_number", "a.yaml", tops("name: 8"), "found 8, expected text"),
    ("name_is_empty", "a.yaml", tops('name: ""'), "expected text that is not empty"),
    ("name_of_two_lines", "a.yaml", tops('name: "a\\nb"'), "expected printable text on one line"),
    ("description_is_a_list", "a.yaml", tops("description: [a]"), "found a list, expected text"),
    ("unknown_routing", "a.yaml", tops("routing: ecpm"), 'did you mean "ecmp"'),
    ("routing_is_a_number", "a.yaml", tops("routing: 3"), "found 3, expected text"),
    ("endpoint_is_a_number", "a.yaml", tops("endpoint_is: 0.25"), "found 0.25, expected a mapping"),
    ("equivalents_zero", "a.yaml", tops("endpoint_is: {h100_equivalents: 0}"), "expected more than 0"),
    (
        "equivalents_true",
        "a.yaml",
        tops("endpoint_is: {h100_equivalents: true}"),
        "found true, expected a number",
    ),
    ("equivalents_nan", "a.yaml", tops("endpoint_is: {h100_equivalents: .nan}"), "expected a finite number"),
    (
        "equivalents_typo",
        "a.yaml",
        tops("endpoint_is: {h100_equivalent: 1}"),
        'did you mean "h100_equivalents"?',
    ),
    ("parameters_are_a_list", "a.yaml", tops("parameters: [1]"), "found a list, expected a mapping"),
    ("parameter_name", "a.yaml", tops("parameters: {2x: 1}"), "a name of letters, digits and _"),
    ("parameter_is_null", "a.yaml", tops("parameters: {x: }"), "found nothing, expected text"),
    ("parameter_is_a_mapping", "a.yaml", tops("parameters: {x: {y: 1}}"), "found a mapping, expected text"),
    ("parameter_is_infinite", "a.yaml", tops("parameters: {x: [.inf]}"), "not finite, expected text"),
    ("parameter_unused", "a.yaml", tops("parameters: {x: 1}"), 'used nowhere, expected "$x"'),
    ("parameter_unknown", "a.yaml", torus("$dims") + b"parameters: {dim: 4}\n", 'did you mean "dim"?'),
    ("parameter_of_parameter", "a.yaml", torus("$a") + b"parameters: {a: $b, b: 1}\n", 'found "$b"'),
    (
        "parameter_of_wrong_kind",
        "a.yaml",
        torus("[2]", "  latency: $x") + b"parameters: {x: 2 GB}\n",
        "is a size",
    ),
]

GENERATED: list[Case] = [
    ("fabric_is_null", "a.yaml", HEAD + b"fabric:\n", "fabric: found nothing, expected a mapping"),
    ("fabric_is_a_list", "a.yaml", HEAD + b"fabric: [torus]\n", "found a list, expected a mapping"),
    ("fabric_is_text", "a.yaml", HEAD + b"fabric: torus\n", 'found "torus", expected a mapping'),
    ("fabric_of_no_form", "a.yaml", HEAD + b"fabric: {}\n", "found none, expected exactly one of"),
    ("fabric_of_two_forms", "a.yaml", generated("generator: torus, nodes: []"), "found generator and nodes"),
    ("generator_misspelt", "a.yaml", generated("generater: torus"), 'did you mean "generator"?'),
    ("generator_unknown", "a.yaml", generated("generator: tours"), 'fabric.generator: found "tours"'),
    ("generator_is_null", "a.yaml", generated("generator: "), "fabric.generator: missing"),
    ("generator_is_a_list", "a.yaml", generated("generator: [torus]"), "fabric.generator: found a list"),
    ("unknown_parameter", "a.yaml", generated("generator: torus, bandwith: 1"), 'did you mean "bandwidth"'),
    ("dims_are_text", "a.yaml", torus('"4"'), 'found "4", expected an integer or a list'),
    ("dims_are_true", "a.yaml", torus("[true, 4]"), "fabric.dims[0]: found true, expected an integer"),
    ("dims_are_floats", "a.yaml", torus("[4.0, 4]"), "found 4.0, expected an integer"),
    ("dims_are_zero", "a.yaml", torus("[0, 4]"), "fabric.dims: found 0"),
    ("dims_are_negative", "a.yaml", torus("[-4]"), "fabric.dims: found -4"),
    ("dims_are_empty", "a.yaml", torus("[]"), "fabric.dims: found 0 values"),
    ("dims_are_too_many", "a.yaml", torus(str([2] * 17)), "found 17 values, expected 1 to 16"),
    ("too_many_endpoints", "a.yaml", torus("[100000, 100000]"), "fabric: makes 1e+10 endpoints"),
    ("too_many_by_far", "a.yaml", torus(str([2147483647] * 16)), "expected at most 50,000,000"),
    ("integer_too_large", "a.yaml", torus("[99999999999]"), "expected at most 2147483647"),
    ("integer_of_5000_digits", "a.yaml", torus(f"[1{'0' * 5000}]"), "not finite, expected an integer"),
    ("integer_of_250_digits", "a.yaml", torus(f"[1{'0' * 250}]"), "(251 characters), expected at most"),
    ("rate_is_a_size", "a.yaml", torus("[2]", "  bandwidth: 400 Gb"), '"400 Gb" is a size, expected a rate'),
    ("rate_of_unknown_unit", "a.yaml", torus("[2]", "  bandwidth: 4 parsec"), "unknown unit"),
    ("rate_is_text", "a.yaml", torus("[2]", "  bandwidth: fast"), "is no quantity, expected a rate"),
    ("rate_is_negative", "a.yaml", torus("[2]", "  bandwidth: -1"), "more than 0"),
    ("rate_is_zero", "a.yaml", torus("[2]", "  bandwidth: 0 GB/s"), "more than 0"),
    ("rate_is_true", "a.yaml", torus("[2]", "  bandwidth: true"), "found true, expected a rate"),
    ("rate_is_a_mapping", "a.yaml", torus("[2]", "  bandwidth: {a: 1}"), "found a mapping, expected a rate"),
    ("rate_is_null", "a.yaml", torus("[2]", "  bandwidth: "), "found nothing, expected a rate"),
    ("rate_is_1e400", "a.yaml", torus("[2]", "  bandwidth: 1e400"), "not finite"),
    ("rate_is_1e400_text", "a.yaml", torus("[2]", "  bandwidth: 1e400 GB/s"), "not finite"),
    ("rate_of_two_lines", "a.yaml", torus("[2]", '  bandwidth: "4\\nGB/s\\nx"'), "is no quantity"),
    ("latency_is_a_rate", "a.yaml", torus("[2]", "  latency: 1 GB/s"), "is a rate, expected a time"),
    ("latency_is_negative", "a.yaml", torus("[2]", "  latency: -1 ns"), "0 or more"),
    ("latency_is_nan", "a.yaml", torus("[2]", "  latency: .nan"), "not finite"),
    ("medium_is_a_number", "a.yaml", torus("[2]", "  medium: 3"), "found 3, expected text"),
    (
        "rate_in_a_list",
        "a.yaml",
        generated("generator: fat_tree, bandwidth: [1 GB/s, 1 s, 1]"),
        "bandwidth[1]",
    ),
    (
        "k_is_odd",
        "a.yaml",
        generated("generator: fat_tree, k: 5"),
        "fabric.k: found 5, expected an even number",
    ),
    ("literal", "a.yaml", grouped("attach: rial"), 'expected "rail" or "block"'),
    ("inside_is_text", "a.yaml", grouped("inside: torus"), "fabric.inside: found"),
    ("inside_unknown", "a.yaml", grouped("inside: {generator: x}"), "fabric.inside.generator"),
    (
        "inside_schema",
        "a.yaml",
        grouped("inside: {generator: torus, bandwidth: 1 s}"),
        "fabric.inside.bandwidth",
    ),
    ("inside_value", "a.yaml", grouped("inside: {generator: fat_tree, k: 3}"), "fabric.inside.k: found 3"),
    (
        "inside_size",
        "a.yaml",
        grouped("inside: {generator: torus, dims: [3]}"),
        "fabric.inside: has 3 endpoints, expected 4",
    ),
    (
        "matching",
        "a.yaml",
        generated("generator: circuit_switched, light_paths: [[[0, 0]]]"),
        "light_paths[0][0]",
    ),
    (
        "matching_of_text",
        "a.yaml",
        generated("generator: circuit_switched, light_paths: [[[0, a]]]"),
        'light_paths[0][0][1]: found "a"',
    ),
    (
        "matching_disconnected",
        "a.yaml",
        generated("generator: circuit_switched, endpoints: 4, light_paths: [[[0, 1], [2, 3]]]"),
        "no path from gpu0 to gpu2 (gpu0 reaches 1 of the 3 other endpoints)",
    ),
    (
        "grouped_disconnected",
        "a.yaml",
        generated(
            "generator: grouped, groups: 4, size: 2, forward: false, between: {generator: torus, dims: [8]}"
        ),
        "no path from",
    ),
]

EXPLICIT: list[Case] = [
    ("no_links", "a.yaml", PAIR, "fabric.links: missing, expected the list of links"),
    ("links_are_a_mapping", "a.yaml", PAIR + b"  links: {a: b}\n", "found a mapping, expected a list"),
    ("nodes_are_a_number", "a.yaml", HEAD + b"fabric: {nodes: 8, links: []}\n", "found 8, expected a list"),
    ("node_is_text", "a.yaml", explicit("a, b", ""), 'fabric.nodes[0]: found "a", expected a mapping'),
    ("node_without_name", "a.yaml", explicit("{kind: gpu}", ""), "nodes[0].name: missing"),
    ("node_name_is_a_number", "a.yaml", explicit("{name: 0}", ""), "found 0, expected text"),
    ("node_of_unknown_kind", "a.yaml", explicit("{name: a, kind: cpu}", ""), 'found "cpu", expected "gpu"'),
    ("node_count_is_zero", "a.yaml", explicit("{name: a, count: 0}", ""), "found 0, expected at least 1"),
    (
        "node_count_is_large",
        "a.yaml",
        explicit("{name: a, count: 1000000000}", ""),
        "expected at most 1000000",
    ),
    (
        "node_counts_add_up",
        "a.yaml",
        explicit(", ".join(["{name: a, count: 900000}"] * 2), ""),
        "1800000 nodes",
    ),
    (
        "node_twice",
        "a.yaml",
        explicit("{name: a}, {name: a}", ""),
        'nodes[1].name: found "a" as in fabric.nodes[0]',
    ),
    ("node_twice_by_count", "a.yaml", explicit("{name: a1}, {name: a, count: 2}", ""), 'found "a1" as in'),
    ("no_node", "a.yaml", explicit("", ""), "found no endpoint"),
    ("no_endpoint", "a.yaml", explicit("{name: a, kind: switch}", ""), "found no endpoint"),
    ("link_without_target", "a.yaml", explicit("{name: a}", "{source: a}"), "links[0].target: missing"),
    (
        "link_key",
        "a.yaml",
        link("bandwith: 1 GB/s"),
        'fabric.links[0].bandwith: unknown key "bandwith": did you mean',
    ),
    ("link_rate", "a.yaml", link("bandwidth: 400 Gb"), 'fabric.links[0].bandwidth: "400 Gb" is a size'),
    ("link_latency", "a.yaml", link("latency: 3 m"), "fabric.links[0].latency"),
    ("link_count", "a.yaml", link("count: 1.5"), "found 1.5, expected an integer"),
    (
        "link_counts_add_up",
        "a.yaml",
        explicit("{name: a}", ", ".join(["{source: a, target: b, count: 600000}"] * 2)),
        "1200000 links",
    ),
    ("link_directed", "a.yaml", link("directed: yes"), 'found "yes", expected true or false'),
    (
        "link_dangling",
        "a.yaml",
        explicit("{name: gpu0}", "{source: gpu0, target: gpuO}"),
        'did you mean "gpu0"?',
    ),
    (
        "link_dangling_among_many",
        "a.yaml",
        explicit("{name: gpu, count: 99}", "{source: gpu0, target: x}"),
        'there are 99, from "gpu0" to "gpu98"',
    ),
    ("link_to_itself", "a.yaml", explicit("{name: a}", "{source: a, target: a}"), "at both ends"),
    (
        "link_twice",
        "a.yaml",
        explicit("{name: a}, {name: b}", "{source: a, target: b}, {source: b, target: a}"),
        "expected it once (count: 2",
    ),
    ("disconnected", "a.yaml", explicit("{name: a}, {name: b}", ""), "no path from a to b"),
    ("one_way", "a.yaml", link("directed: true"), "no path from b to a"),
    (
        "behind_an_endpoint",
        "a.yaml",
        explicit(
            "{name: g, count: 3}",
            "{source: g0, target: g1}, {source: g1, target: g2}",
            "  endpoints_forward: false\n",
        ),
        "no path from g0 to g2",
    ),
    (
        "forward_is_a_number",
        "a.yaml",
        explicit("{name: a}", "", "  endpoints_forward: 1\n"),
        "expected true or false",
    ),
    (
        "circuits_of_a_switch",
        "a.yaml",
        explicit("{name: a}, {name: s, kind: switch, circuits: []}", ""),
        "kind ocs",
    ),
    (
        "circuits_of_three",
        "a.yaml",
        explicit("{name: a}, {name: o, kind: ocs, circuits: [[a, a, a]]}", ""),
        "a pair",
    ),
    (
        "circuits_of_unknown",
        "a.yaml",
        explicit("{name: a}, {name: o, kind: ocs, circuits: [[a, x]]}", ""),
        'found "x"',
    ),
    (
        "circuits_without_port",
        "a.yaml",
        explicit("{name: a}, {name: b}, {name: o, kind: ocs, circuits: [[a, b]]}", "{source: a, target: o}"),
        "no free receive port",
    ),
    (
        "two_circuit_switches",
        "a.yaml",
        explicit("{name: a}, {name: o, kind: ocs, count: 2}", "{source: o0, target: o1}"),
        "joins two circuit switches",
    ),
    (
        "graph_missing",
        "a.yaml",
        HEAD + b"fabric: {graph: none.graphml}\n",
        'fabric.graph: "none.graphml": cannot be',
    ),
    (
        "graph_of_other_kind",
        "a.yaml",
        HEAD + b"fabric: {graph: a.gml}\n",
        "expected a .graphml or .json file",
    ),
    ("graph_is_a_number", "a.yaml", HEAD + b"fabric: {graph: 3}\n", "found 3, expected text"),
    ("graph_is_itself", "a.json", as_json({"graph": "a.json"}), "nodes: missing, expected a list of nodes"),
]

MALFORMED: list[Case] = [*BYTES, *YAML, *JSON, *TOP, *GENERATED, *EXPLICIT]
