"""What the benchmarks share: a server of ours, its load, and the table. They run in the directory of the data."""
import os, re, shutil, signal, subprocess, sys, time, urllib.request


def fields(text):
    words = text.split()
    return {words[i]: float(words[i + 1]) for i in range(0, len(words) - 1, 2)}


def remove(path):
    shutil.rmtree(path, ignore_errors=True)


class Server:
    binary = ""

    def __init__(self, data, configuration="", environment={}):
        self.log = open("server.log", "w")
        command = [self.binary, "serve", f"--storage.path={data}", "--web.listen-address=127.0.0.1:0"]
        if configuration:
            open("bench.yaml", "w").write(configuration)
            command.append("--config.file=bench.yaml")
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, stderr=self.log, env={**os.environ, **environment})
        while True:
            match = re.search(r"listening.* address=[\d.]+:(\d+)", open("server.log").read())
            if match:
                break
            if self.process.poll() is not None:
                sys.exit(open("server.log").read())
            time.sleep(0.005)
        self.seconds = time.monotonic() - self.started
        self.port = int(match[1])

    def metrics(self):
        page = urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics").read().decode()
        samples = {}
        for line in page.splitlines():
            if not line.startswith("#"):
                name, value = line.rsplit(" ", 1)
                samples[name] = float(value)
        return samples

    def cpu_seconds(self):
        stat = open(f"/proc/{self.process.pid}/stat").read().rsplit(") ", 1)[1].split()
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def thread_name(self, thread):
        return open(f"/proc/{self.process.pid}/task/{thread}/comm").read().strip()

    def thread_nanos(self):
        """Processor time of every thread so far, by name."""
        nanos = {}
        for thread in os.listdir(f"/proc/{self.process.pid}/task"):
            used = int(open(f"/proc/{self.process.pid}/task/{thread}/schedstat").read().split()[0])
            nanos[self.thread_name(thread)] = nanos.get(self.thread_name(thread), 0) + used
        return nanos

    def memory(self, key="VmHWM"):
        return int(re.search(key + r":\s+(\d+)", open(f"/proc/{self.process.pid}/status").read())[1]) / 1024

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        self.log.close()


def load(port, file, connections, lines, seconds=None):
    command = ["./load", str(port), file, str(connections), str(lines)] + ([str(seconds)] if seconds else [])
    return fields(subprocess.check_output(command, text=True))


rows = []


def row(what, ours, reference, ratio, target):
    rows.append((what, ours, reference, ratio, target))
    print(f"  {what}: {ours}; {reference}; {ratio}", file=sys.stderr)


def thousands(number):
    return f"{number:,.0f}".replace(",", " ")


def print_table(how):
    """The rows as a Markdown table, under the machine that they were measured on."""
    model = re.search(r"model name\s+: (.*)", open("/proc/cpuinfo").read())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    print(f"{model[1] if model else 'unknown processor'}, {os.cpu_count()} cores, {memory:.0f} GiB, "
          f"load {os.getloadavg()[0]:.1f}; {how}; {time.strftime('%Y-%m-%d')}\n")
    print("| work | costgauge | reference in the same run | ratio | target |")
    print("|---|---|---|---|---|")
    for entry in rows:
        print("| " + " | ".join(entry) + " |")
