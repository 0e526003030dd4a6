// What the measurements of a machine are called: of its processors, of its GPUs, of the process.

const SECTIONS = { gpu: "GPU", tpu: "TPU", trn: "Trainium", proc: "Process", disk: "Disk", network: "Network" };

// Of a GPU, a TPU or another device: the part of the key behind its number.
const OF_DEVICES = {
  gpu: ["utilization", "%"],
  memory: ["memory access", "% of the time"],
  memoryAllocated: ["memory in use", "%"],
  memoryAllocatedBytes: ["memory in use", "bytes"],
  temp: ["temperature", "°C"],
  powerWatts: ["power", "W"],
  powerPercent: ["power", "% of its limit"],
  enforcedPowerLimitWatts: ["power limit", "W"],
  smClock: ["clock of the multiprocessors", "MHz"],
  memoryClock: ["clock of the memory", "MHz"],
  graphicsClock: ["clock of the graphics", "MHz"],
  correctedMemoryErrors: ["memory errors, corrected", ""],
  uncorrectedMemoryErrors: ["memory errors, not corrected", ""],
  fanSpeed: ["fan speed", "%"],
  encoderUtilization: ["encoder utilization", "%"],
  dutyCycle: ["duty cycle", "%"],
};
const OTHERS = {
  cpu: ["CPU of the process", "% of all cores"],
  memory: ["Memory of the machine", "%"],
  memory_percent: ["Memory of the machine", "%"],
  "proc.memory.availableMB": ["Memory available", "MB"],
  "proc.memory.rssMB": ["Memory of the process", "MB"],
  "proc.memory.percent": ["Memory of the process", "%"],
  "proc.cpu.threads": ["Threads of the process", ""],
  "network.sent": ["Network, sent", "bytes"],
  "network.recv": ["Network, received", "bytes"],
  "network.tcpRetransmits": ["TCP segments sent again", ""],
};
const OF_DISKS = { usagePercent: ["in use", "%"], usageGB: ["in use", "GB"], in: ["read", "MB"], out: ["written", "MB"] };

// {chart, line, title, unit}: in which chart a key is drawn, as which of its lines, and what the chart is called.
export function describeMachine(key) {
  const name = key.replace(/^system\./, "");
  const [, kind, ofProcess, device, what] = name.match(/^(gpu|tpu)\.(process\.)?(\d+)\.(\w+)$/) ?? [];
  if (OF_DEVICES[what]) {
    const [text, unit] = OF_DEVICES[what];
    const title = `${SECTIONS[kind]} ${text}${ofProcess ? ", by the process" : ""}`;
    return { chart: `system.${kind}.${ofProcess ?? ""}*.${what}`, line: `${SECTIONS[kind]} ${device}`, title, unit };
  }
  const [, core] = name.match(/^cpu\.(\d+)\.cpu_percent$/) ?? [];
  if (core) return { chart: "system.cpu.*.cpu_percent", line: `core ${core}`, title: "CPU by core", unit: "%" };
  const [, disk, use] = name.match(/^disk\.(.+)\.(\w+)$/) ?? [];
  if (OF_DISKS[use]) return { chart: key, title: `Disk ${disk}, ${OF_DISKS[use][0]}`, unit: OF_DISKS[use][1] };
  const [title, unit] = OTHERS[name] ?? [];
  return { chart: key, title, unit };
}

export function sectionOfMachine(key) {
  return SECTIONS[key.split(".")[1]] ?? "Machine";
}
