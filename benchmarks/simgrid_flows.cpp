// SimGrid on the flows of a file: finish times of all of them, or one max-min solve.
//
//     simgrid_flows events|ring|max_min PROBLEM ANSWER
//
// PROBLEM is binary: int64 flows, links, entries, ranks; int64 indptr[flows + 1]; int32 links[entries];
// double capacity[links]; double size[flows]. ANSWER is double[flows]: finish times or rates.
// Prints a line of JSON: version, seconds of set-up, seconds of the run, and how often time advanced.
//
// Every flow gets a pair of hosts of its own, so that the pair's static route is the flow's path: n hosts
// in one full zone have n(n - 1) routes, whatever fabric the paths came from. In a ring, flow s * ranks + r is what
// rank r sends to rank r + 1 in step s, by the path of flow r; a rank begins a step when it has sent and received
// what the step before asked of it.
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include <simgrid/s4u.hpp>
#include <simgrid/version.h>

// The solver's class is exported by the library, but its header is not installed: what is used of it.
namespace simgrid::kernel::lmm {
class Constraint;
class Variable;
class System {
public:
  static System* build(std::string_view solver, bool selective_update);
  Constraint* constraint_new(resource::Resource* id, double bound);
  Variable* variable_new(resource::Action* id, double penalty, double bound, size_t constraints);
  void expand(Constraint* constraint, Variable* variable, double weight, bool force_creation);
  void solve();
};
} // namespace simgrid::kernel::lmm

namespace lmm = simgrid::kernel::lmm;
namespace s4u = simgrid::s4u;

struct Problem {
  std::vector<int64_t> indptr;
  std::vector<int32_t> links;
  std::vector<double> capacity, size;
  size_t ranks = 0;
  size_t flows() const { return size.size(); }
};

template <class T> static void fill(std::ifstream& in, std::vector<T>& values, size_t count)
{
  values.resize(count);
  in.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(count * sizeof(T)));
}

static Problem read_problem(const char* path)
{
  std::ifstream in(path, std::ios::binary);
  std::vector<int64_t> header;
  Problem p;
  fill(in, header, 4);
  p.ranks = header[3];
  fill(in, p.indptr, header[0] + 1);
  fill(in, p.links, header[2]);
  fill(in, p.capacity, header[1]);
  fill(in, p.size, header[0]);
  if (!in) {
    std::fprintf(stderr, "%s: too short\n", path);
    std::exit(1);
  }
  return p;
}

static double seconds()
{
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

static std::vector<double> events(s4u::Engine& engine, const Problem& p, double& set_up, double& run, long& steps)
{
  const double begin = seconds();
  size_t n = 2;
  while (n * (n - 1) < p.flows())
    ++n;
  auto* zone = s4u::create_full_zone("zone");
  std::vector<s4u::Host*> hosts;
  for (size_t i = 0; i < n; i++)
    hosts.push_back(zone->create_host("h" + std::to_string(i), 1e9));
  std::vector<s4u::Link*> links;
  for (size_t i = 0; i < p.capacity.size(); i++)
    links.push_back(zone->create_link("l" + std::to_string(i), p.capacity[i])->set_latency(0.0)->seal());
  auto from = [n](size_t f) { return f / (n - 1); };
  auto to   = [n](size_t f) { return f % (n - 1) + (f % (n - 1) >= f / (n - 1) ? 1 : 0); };
  for (size_t f = 0; f < p.flows(); f++) {
    std::vector<s4u::LinkInRoute> route;
    for (int64_t e = p.indptr[f]; e < p.indptr[f + 1]; e++)
      route.emplace_back(links[p.links[e]]);
    zone->add_route(hosts[from(f)]->get_netpoint(), hosts[to(f)]->get_netpoint(), nullptr, nullptr, route, false);
  }
  zone->seal();
  std::vector<double> finish(p.flows());
  // Through mailboxes, one sender and one receiver per host: SimGrid 3.32 keeps everything that was sent
  // with Comm::sendto in one list, which it searches at every end, and that would be most of its time.
  static char payload;
  std::vector<std::vector<size_t>> sent(n), received(n);
  std::vector<s4u::Mailbox*> mailbox;
  for (size_t f = 0; f < p.flows(); f++) {
    sent[from(f)].push_back(f);
    received[to(f)].push_back(f);
    mailbox.push_back(s4u::Mailbox::by_name("m" + std::to_string(f)));
  }
  for (size_t h = 0; h < n; h++) {
    s4u::Actor::create("s" + std::to_string(h), hosts[h], [&, h] {
      std::vector<s4u::CommPtr> comms;
      for (size_t f : sent[h])
        comms.push_back(mailbox[f]->put_async(&payload, static_cast<uint64_t>(p.size[f])));
      for (size_t i = 0; i < comms.size(); i++) {
        comms[i]->wait();
        finish[sent[h][i]] = comms[i]->get_finish_time();
      }
    });
    s4u::Actor::create("r" + std::to_string(h), hosts[h], [&, h] {
      std::vector<char*> data(received[h].size());
      std::vector<s4u::CommPtr> comms;
      for (size_t i = 0; i < received[h].size(); i++)
        comms.push_back(mailbox[received[h][i]]->get_async<char>(&data[i]));
      for (auto& comm : comms)
        comm->wait();
    });
  }
  s4u::Engine::on_time_advance_cb([&steps](double) { ++steps; });
  set_up = seconds() - begin;
  engine.run();
  run = seconds() - begin - set_up;
  return finish;
}

static std::vector<double> ring(s4u::Engine& engine, const Problem& p, double& set_up, double& run, long& steps)
{
  const double begin = seconds();
  const size_t n     = p.ranks;
  auto* zone         = s4u::create_full_zone("zone");
  std::vector<s4u::Host*> hosts;
  for (size_t i = 0; i < n; i++)
    hosts.push_back(zone->create_host("h" + std::to_string(i), 1e9));
  std::vector<s4u::Link*> links;
  for (size_t i = 0; i < p.capacity.size(); i++)
    links.push_back(zone->create_link("l" + std::to_string(i), p.capacity[i])->set_latency(0.0)->seal());
  for (size_t r = 0; r < n; r++) {
    std::vector<s4u::LinkInRoute> route;
    for (int64_t e = p.indptr[r]; e < p.indptr[r + 1]; e++)
      route.emplace_back(links[p.links[e]]);
    zone->add_route(hosts[r]->get_netpoint(), hosts[(r + 1) % n]->get_netpoint(), nullptr, nullptr, route, false);
  }
  zone->seal();
  std::vector<double> finish(p.flows());
  static char payload;
  std::vector<s4u::Mailbox*> mailbox;
  for (size_t r = 0; r < n; r++)
    mailbox.push_back(s4u::Mailbox::by_name("m" + std::to_string(r)));
  for (size_t r = 0; r < n; r++)
    s4u::Actor::create("a" + std::to_string(r), hosts[r], [&, r] {
      char* data;
      for (size_t f = r; f < p.flows(); f += n) {
        auto sent     = mailbox[r]->put_async(&payload, static_cast<uint64_t>(p.size[f]));
        auto received = mailbox[(r + n - 1) % n]->get_async<char>(&data);
        sent->wait();
        received->wait();
        finish[f] = sent->get_finish_time();
      }
    });
  s4u::Engine::on_time_advance_cb([&steps](double) { ++steps; });
  set_up = seconds() - begin;
  engine.run();
  run = seconds() - begin - set_up;
  return finish;
}

// Where a variable keeps its value: found by solving a problem whose answer is an odd number.
static size_t value_offset()
{
  const double odd = 0.7310585786300049;
  auto* system     = lmm::System::build("maxmin", false);
  auto* constraint = system->constraint_new(nullptr, odd);
  auto* variable   = system->variable_new(nullptr, 1.0, -1.0, 1);
  system->expand(constraint, variable, 1.0, true);
  system->solve();
  for (size_t at = 0; at < 160; at += sizeof(double)) {
    double found;
    std::memcpy(&found, reinterpret_cast<const char*>(variable) + at, sizeof found);
    if (found == odd)
      return at;
  }
  std::fprintf(stderr, "cannot find the values of SimGrid's solver\n");
  std::exit(1);
}

static std::vector<double> max_min(const Problem& p, double& set_up, double& run)
{
  const size_t offset = value_offset();
  const double begin  = seconds();
  auto* system        = lmm::System::build("maxmin", false);
  std::vector<lmm::Constraint*> constraints;
  for (double capacity : p.capacity)
    constraints.push_back(system->constraint_new(nullptr, capacity));
  std::vector<lmm::Variable*> variables;
  for (size_t f = 0; f < p.flows(); f++) {
    variables.push_back(system->variable_new(nullptr, 1.0, -1.0, p.indptr[f + 1] - p.indptr[f]));
    for (int64_t e = p.indptr[f]; e < p.indptr[f + 1]; e++)
      system->expand(constraints[p.links[e]], variables[f], 1.0, false);
  }
  set_up = seconds() - begin;
  system->solve();
  run = seconds() - begin - set_up;
  std::vector<double> rates(p.flows());
  for (size_t f = 0; f < p.flows(); f++)
    std::memcpy(&rates[f], reinterpret_cast<const char*>(variables[f]) + offset, sizeof(double));
  return rates;
}

int main(int argc, char** argv)
{
  s4u::Engine engine(&argc, argv);
  if (argc != 4) {
    std::fprintf(stderr, "usage: simgrid_flows events|ring|max_min PROBLEM ANSWER [--cfg=...]\n");
    return 1;
  }
  const Problem p = read_problem(argv[2]);
  double set_up = 0.0, run = 0.0;
  long steps = 0;
  const std::string mode = argv[1];
  const auto answer      = mode == "max_min" ? max_min(p, set_up, run)
                           : mode == "ring"  ? ring(engine, p, set_up, run, steps)
                                             : events(engine, p, set_up, run, steps);
  std::ofstream(argv[3], std::ios::binary)
      .write(reinterpret_cast<const char*>(answer.data()), static_cast<std::streamsize>(answer.size() * sizeof(double)));
  int major, minor, patch;
  sg_version_get(&major, &minor, &patch);
  std::printf("{\"version\": \"%d.%d.%d\", \"set_up\": %.6f, \"run\": %.6f, \"steps\": %ld}\n", major, minor, patch,
              set_up, run, steps);
  std::fflush(stdout);
  std::_Exit(0); // taking a million objects apart is not what is measured
}
