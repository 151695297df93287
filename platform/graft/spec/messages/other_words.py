"""What other tools call what graft has another word for: letters alone do not tell that `bs` means `batch_size`."""

from collections.abc import Collection, Mapping

_OURS: Mapping[str, str] = {
    "minutes": "hours seconds time timeout time_limit time_budget max_time max_hours max_minutes duration",
    "trials": "n_trials num_trials max_trials num_samples max_evals n_iter runs",
    "epochs": "n_epochs num_epochs max_epochs num_train_epochs iterations n_iter",
    "patience": "early_stopping early_stop early_stopping_patience early_stopping_rounds",
    "lr": "learning_rate lr0 base_lr init_lr",
    "lr_decay": "layer_decay layerwise_lr_decay llrd",
    "head_lr_factor": "head_lr head_learning_rate",
    "batch_size": "batch bs batchsize train_batch_size per_device_train_batch_size minibatch",
    "max_tokens": "max_length max_len max_seq_length max_seq_len seq_len seq_length sequence_length context_length",
    "resolution": "image_size img_size imgsz input_size size resize crop_size",
    "backbone": "model model_name model_name_or_path architecture arch network encoder base_model checkpoint",
    "weight_decay": "wd l2 weight_decay_rate",
    "clip_norm": "max_grad_norm grad_clip gradient_clip gradient_clip_val clip_grad_norm gradient_clipping",
    "dropout": "drop drop_rate dropout_rate dropout_prob",
    "precision": "fp16 bf16 amp mixed_precision dtype half",
    "schedule": "scheduler lr_scheduler lr_scheduler_type lr_schedule",
    "optimizer": "optim optimiser",
    "augment": "augmentation augmentations transform transforms",
    "mix": "mixup cutmix",
    "loss": "criterion loss_fn loss_function objective",
    "warmup": "warmup_steps warmup_epochs warmup_ratio",
    "freeze": "frozen freeze_layers freeze_backbone frozen_layers",
    "seed": "random_state random_seed manual_seed",
    "validation": "val valid dev val_split val_size validation_split validation_size val_fraction valid_pct",
    "test": "test_split test_size test_fraction",
    "limit": "max_samples subset n_samples",
    "ignore": "exclude excluded skip",
    "path": "dir directory folder root data_dir data_path filename file csv location",
    "label": "labels target targets y class classes label_column target_column label_col",
    "text": "texts sentence text_column review",
    "image": "images img image_column picture",
    "gpus_per_worker": "gpus gpu num_gpus n_gpus",
    "cpus_per_worker": "cpus cpu num_cpus n_cpus n_jobs",
    "workers": "nodes n_workers",
    "concurrent_trials": "max_concurrent max_concurrent_trials parallel n_parallel",
    "metric": "metrics monitor scoring eval_metric metric_name",
    "searcher": "sampler algorithm search_alg tuner",
    # Metrics, some by their names in more than one task.
    "macro_f1": "f1 f1_score f1_macro macro_f1_score fscore",
    "micro_f1": "f1_micro micro_f1_score",
    "accuracy": "acc top1 top_1 top_1_accuracy",
    "balanced_accuracy": "balanced_acc bacc uar mean_recall macro_recall recall",
    "auroc": "auc roc_auc roc_auc_score roc",
    "map": "mean_average_precision average_precision ap pr_auc",
    "subset_accuracy": "exact_match emr",
    "log_loss": "logloss cross_entropy nll neg_log_loss",
    "top_3_accuracy": "top3 top_3",
    "top_5_accuracy": "top5 top_5",
    "rmse": "mse mean_squared_error root_mean_squared_error neg_mean_squared_error",
    "mae": "l1 mean_absolute_error neg_mean_absolute_error",
    "r2": "r2_score r_squared",
    "spearman": "spearmanr rank_correlation",
}
_REMARKS = {"hours": "60 to an hour", "max_hours": "60 to an hour", "seconds": "a 60th of the seconds"}


def ours(word: str) -> tuple[str, ...]:
    """What graft may call what somebody calls so."""
    wanted = word.strip().lower().replace("-", "_")
    return tuple(own for own, others in _OURS.items() if wanted in others.split())


def meant(word: str, names: Collection[str]) -> str:
    """The first of some names that somebody else calls so, in backticks, with its unit; empty if it is none."""
    own = next((name for name in ours(word) if name in names), None)
    remark = _REMARKS.get(word.lower())
    return "" if own is None else f"`{own}`{f' ({remark})' if remark else ''}"
