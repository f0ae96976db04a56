import { decideCompliance } from "../compliance/index.ts";
import { FastPaxos } from "../fast/fast-paxos.ts";
import { SinglePaxos } from "../single/single-paxos.ts";
import { simulatedDeciders } from "./sim-harness.test.ts";

decideCompliance("SinglePaxos", () => simulatedDeciders(SinglePaxos));
decideCompliance("FastPaxos", () => simulatedDeciders(FastPaxos));
